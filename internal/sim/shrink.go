package sim

// Shrink looks for the fewest kinds of fault with which the run still breaks a promise, and gives that run and its
// error.
func Shrink(o Options, err error) (Options, error) {
	smallest := o
	for again := true; again; {
		again = false
		for _, kind := range smallest.Faults.Each() {
			try := Draw(o.Seed, smallest.Faults&^kind)
			if _, e := Run(try, nil); e != nil {
				smallest, err, again = try, e, true
			}
		}
	}
	return smallest, err
}
