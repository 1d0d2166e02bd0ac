package expresscookie

import (
	"fmt"
	"os"
	"testing"

	"github.com/sessioncast/sessioncast/test/rig"
)

func TestMain(m *testing.M) {
	if keyFile := os.Getenv(serviceVariable); keyFile != "" {
		fmt.Fprintln(os.Stderr, serve(keyFile))
		os.Exit(1)
	}
	rig.Main(m)
}
