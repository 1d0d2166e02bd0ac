# make test   installs what the tests need, checks the sources and runs every test
# make bench  measures, side by side with Redis where it is installed
# make sim    many seeds of the simulation; SIM=10m for longer
# make figures  measures what docs/reliability.md publishes; PARTS="latency idle" for some of it
# make npm    builds the npm packages with the engine for every platform into node/dist
# make soak   real daemons under faults; SOAK=30m for longer, SOAKFLAGS="-seed 7" to repeat
GO     ?= go
SIM    ?= 2m
SOAK   ?= 5m
FUZZ   ?= 20000x
TOOL   := $(GO) tool -modfile=tools/go.mod

.PHONY: build test deps check unit draw fuzz sim mutants soak figures bench npm clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/sessioncast ./cmd/sessioncast

test: deps check unit draw fuzz

# What the tests use besides Go: Redis to compare with, Node for the Express app, namespaces and packet loss.
deps:
	@scripts/install-deps

check:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "not gofmt-ed"; exit 1; }
	$(GO) mod tidy -diff
	$(GO) vet ./...
	GOOS=darwin $(GO) vet . ./internal/link ./internal/stream ./internal/node ./internal/resp ./internal/daemon ./cmd/sessioncast
	GOOS=windows $(GO) vet . ./internal/link ./internal/stream ./internal/node ./internal/resp ./internal/daemon ./cmd/sessioncast
	$(TOOL) staticcheck ./...

# The binary is built once and handed to the tests that run it. The model and the simulation are one goroutine, which the race
# detector only slows down; whole nodes that move much are run without it after all others, one package at a time.
unit: export SCTEST_BINARY = $(CURDIR)/bin/sessioncast
unit: build
	$(GO) test -race -shuffle=on -timeout 30m $$($(GO) list ./... | grep -Ev '/internal/(model|sim)$$')
	$(GO) test -shuffle=on -timeout 30m -p 1 ./internal/model ./internal/sim ./test/cluster

# A short draw of the simulation that says what it covered.
draw:
	$(GO) test ./internal/sim -run 'TestSwarm$$' -count=1 -v -sim.time=20s

fuzz:
	@scripts/fuzz $(FUZZ)

sim:
	$(GO) test ./internal/sim -run 'TestSwarm$$' -count=1 -v -timeout 0 -sim.time=$(SIM) -sim.from=0

# Planted bugs, each of which the simulation must find.
mutants:
	$(GO) test ./internal/sim -run TestMutants -count=1 -v -timeout 60m -sim.mutants

# Real daemons in network namespaces, killed, stopped, cut, slowed and flooded; every acknowledged write is followed.
soak: build
	SCTEST_BINARY=$(CURDIR)/bin/sessioncast $(GO) run ./test/soak -for $(SOAK) -report-md $(SOAKFLAGS)

figures:
	@scripts/figures $(PARTS)

bench:
	@scripts/bench

npm:
	node node/build.mjs

clean:
	rm -rf bin node/dist
