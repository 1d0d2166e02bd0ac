// Package node runs the tests of the npm packages in node/: packed, installed into an empty folder, with an engine built from
// this source. What an Express app installs beside them comes from npm, as node/test/app/package-lock.json has it.
//
// It also goes through one list of scenarios with the packed store and with express-session-multicast 0.0.2 on servers that are network
// namespaces, and compares what came of it with the table in docs/migration.md.
package node
