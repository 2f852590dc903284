package main

import (
	"context"
	"strconv"
	"testing"

	root "github.com/lockstep-dev/lockstep/bench"
	"github.com/lockstep-dev/lockstep/bench/figures"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func (b *bench) planNext(context.Context) error {
	for _, members := range []int{10, 100} {
		snapshot, now := root.AtHold(members)
		r := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plan.Next(snapshot, now)
			}
		})
		b.results.PlanNext[strconv.Itoa(members)] = figures.PlanNext{Ns: r.NsPerOp(), Allocs: r.AllocsPerOp(), Bytes: r.AllocedBytesPerOp()}
		b.say("%d members: %s %s", members, r, r.MemString())
	}
	return nil
}
