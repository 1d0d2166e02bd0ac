// Package deploy tests that the files in deploy/ say what the daemon understands.
package deploy
