//go:build unix && !linux && !darwin

package link

// dontFragment: a payload of 1400 bytes is not fragmented on the networks these systems stand in.
func dontFragment(int, bool) error { return nil }
