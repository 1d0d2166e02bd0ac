//go:build !linux

package resp

func newMover(s *Server, _ bool) mover { return newPorter(s) }
