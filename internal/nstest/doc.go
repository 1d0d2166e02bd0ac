// Package nstest gives tests a small Ethernet of network namespaces: hosts on one bridge, with injected loss and cuts.
//
// Everything lives in namespaces that no name leads to, so that it vanishes with the process whatever happens. A Net
// belongs to one test and is used from its goroutine; functions handed to Do run on threads of their own.
package nstest
