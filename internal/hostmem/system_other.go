//go:build !darwin

package hostmem

func systemMemory() int64 { return unknownMemory }
