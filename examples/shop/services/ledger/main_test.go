package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-dev/lockstep/examples/shop/services/internal/chain"
)

func TestLedgerWritesOnceASecondBetweenStartAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		keep(ctx, &out, chain.Hop{Release: "r1", Slot: "blue", Pod: "ledger-1"}, time.Second)
		for kind, want := range map[string]int{"start": 1, "entry": 2, "stop": 1} {
			if got := strings.Count(out.String(), `"ledger":"`+kind+`"`); got != want {
				t.Errorf("%d lines of kind %s, want %d", got, kind, want)
			}
		}
	})
}
