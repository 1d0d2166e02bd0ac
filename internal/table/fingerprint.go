package table

// Root sums up the whole table: equal states have equal roots, on all nodes of a cluster.
func (t *Table) Root() uint64 {
	const odd = 0x9e3779b97f4a7c15
	var root uint64
	for i := range t.buckets {
		if sum := t.buckets[i].sum.Load(); sum != 0 {
			x := (sum ^ uint64(i)*odd) * odd
			root += x ^ x>>32
		}
	}
	return root
}
