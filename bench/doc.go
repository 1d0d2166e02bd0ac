// Package bench measures sessioncast beside what users would take instead. It holds only benchmarks: make bench.
package bench
