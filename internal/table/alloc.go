package table

import "sort"

// pageSize is what the allocator rounds large objects up to.
const (
	pageSize   = 8 << 10
	largestRun = 32 << 10 // the largest object that shares pages with others
)

// sizeClasses are the sizes that the allocator rounds small objects up to, as it shows by what it hands out.
var sizeClasses = func() (classes []int) {
	for n := 1; n <= largestRun; {
		size := cap(append([]byte(nil), make([]byte, n)...))
		classes = append(classes, size)
		n = size + 1
	}
	return classes
}()

// roundings is, for each size in steps of eight bytes, the class it belongs to.
var roundings = func() (r [largestRun/8 + 1]uint16) {
	for i := range r {
		at := sort.SearchInts(sizeClasses, 8*i)
		r[i] = uint16(sizeClasses[min(at, len(sizeClasses)-1)])
	}
	return r
}()

// allocSize is what n bytes without pointers take on the heap.
func allocSize(n int) int {
	if n <= largestRun {
		return int(roundings[(n+7)/8])
	}
	return (n + pageSize - 1) &^ (pageSize - 1)
}
