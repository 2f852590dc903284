// Ledger is the shop's worker: it acts without being called. Once a second it
// writes an entry to its log, so that a witness can tell when it was at work.
package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/lockstep-dev/lockstep/examples/shop/services/internal/chain"
	"github.com/lockstep-dev/lockstep/examples/shop/services/internal/process"
)

// line is what the ledger writes. A start and a stop bound the entries, so
// that two ledgers at work are seen even if they overlap for less than a second.
type line struct {
	Ledger  string    `json:"ledger"`
	Time    time.Time `json:"time"`
	Release string    `json:"release"`
	Slot    string    `json:"slot"`
	Pod     string    `json:"pod"`
}

func main() {
	process.Main(http.NewServeMux(), func(ctx context.Context) {
		keep(ctx, os.Stdout, chain.Self("ledger"), time.Second)
	})
}

func keep(ctx context.Context, out io.Writer, self chain.Hop, interval time.Duration) {
	lines := json.NewEncoder(out)
	write := func(kind string) {
		// A log that cannot be written leaves nobody to tell.
		_ = lines.Encode(line{Ledger: kind, Time: time.Now().UTC(), Release: self.Release, Slot: self.Slot, Pod: self.Pod})
	}
	write("start")
	defer write("stop")
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			write("entry")
		}
	}
}
