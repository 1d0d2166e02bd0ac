// Package express tests what sessioncast is for: an Express app on each of three servers, with the session store that
// everybody uses, beside a daemon of its own, in network namespaces.
//
// The app's packages come from npm, as package-lock.json has them.
package express
