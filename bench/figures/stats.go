// Package figures is the arithmetic of the benchmark, and how its results are shown. It measures nothing itself.
package figures

import (
	"math"
	"slices"
	"time"
)

// Pair is one move of users by Lockstep, and the same move by a bare patch, made right before or after it: how long after
// the request was sent the last request of a user began at the old slot, in milliseconds.
type Pair struct {
	LockstepMs float64 `json:"lockstepMs"`
	BareMs     float64 `json:"bareMs"`
	// BareFirst is whether the bare patch came first.
	BareFirst bool `json:"bareFirst"`
}

// Spread is the middle of some figures, and what 95 of 100 do not exceed.
type Spread struct {
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
}

// SpreadOf is the zero Spread where there are no figures.
func SpreadOf(values []float64) Spread {
	return Spread{Median: round(quantile(values, 0.5)), P95: round(quantile(values, 0.95))}
}

// quantile interpolates between the two nearest figures.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below := int(math.Floor(at))
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// round keeps what can be told: a thousandth of a ratio, and a microsecond of a millisecond.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }

// Moves is what came of all moves of one kind at one kind of entry.
type Moves struct {
	N int `json:"n"`
	// Ratio is of Lockstep to bare, pair by pair.
	Ratio Spread `json:"ratio"`
	// RatioOfMedians is Lockstep's median to the bare one: it does not depend on which move was paired with which.
	RatioOfMedians float64 `json:"ratioOfMedians"`
	LockstepMs     Spread  `json:"lockstepMs"`
	BareMs         Spread  `json:"bareMs"`
}

// MovesOf is the zero Moves where there are no pairs.
func MovesOf(pairs []Pair) Moves {
	var ratios, lockstep, bare []float64
	for _, p := range pairs {
		ratios = append(ratios, p.LockstepMs/max(p.BareMs, 1))
		lockstep = append(lockstep, p.LockstepMs)
		bare = append(bare, p.BareMs)
	}
	m := Moves{N: len(pairs), Ratio: SpreadOf(ratios), LockstepMs: SpreadOf(lockstep), BareMs: SpreadOf(bare)}
	if m.BareMs.Median > 0 {
		m.RatioOfMedians = round(m.LockstepMs.Median / m.BareMs.Median)
	}
	return m
}

// CriticalPath is the longest chain of members that waited for each other: the sum of how long each took. A member that
// depends upon itself, by way of others too, counts once.
func CriticalPath(dependsOn map[string][]string, took map[string]time.Duration) time.Duration {
	var longest time.Duration
	for member := range took {
		longest = max(longest, pathTo(member, dependsOn, took, map[string]bool{}))
	}
	return longest
}

func pathTo(member string, dependsOn map[string][]string, took map[string]time.Duration, visited map[string]bool) time.Duration {
	if visited[member] {
		return 0
	}
	visited[member] = true
	defer delete(visited, member)
	var before time.Duration
	for _, needed := range dependsOn[member] {
		before = max(before, pathTo(needed, dependsOn, took, visited))
	}
	return before + took[member]
}
