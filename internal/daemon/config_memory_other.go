//go:build !darwin

package daemon

func systemMemory() Size { return unknownMemory }
