// Package bridge tests `sessioncast bridge` with nodes of the real express-session-multicast 0.0.2 from npm, in network namespaces.
package bridge
