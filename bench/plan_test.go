package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/lockstep-dev/lockstep/internal/plan"
)

// BenchmarkNext plans a stack at its hold. The floor is the copy of the status that a plan cannot do without.
func BenchmarkNext(b *testing.B) {
	for _, members := range []int{10, 100} {
		snapshot, now := AtHold(members)
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plan.Next(snapshot, now)
			}
			took := b.Elapsed() / time.Duration(b.N)
			b.ReportMetric(float64(took)/float64(floor(snapshot)), "ratio-to-status-copy")
		})
	}
}

func floor(s plan.Snapshot) time.Duration {
	const runs = 1000
	began := time.Now()
	for range runs {
		_ = s.Stack.Status.DeepCopy()
	}
	return max(time.Since(began)/runs, time.Nanosecond)
}
