// Package node runs the tests of the npm packages in node/: packed, installed into an empty folder, with an engine built from
// this source.
//
// What an Express app installs beside them comes from npm, as node/test/app/package-lock.json has it.
package node
