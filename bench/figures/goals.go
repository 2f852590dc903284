package figures

import "fmt"

// What the figures should not exceed.
const (
	goalMove  = 1.5
	goalWrite = 12
	goalWhole = 1.2
)

// Goal is a figure, and what it should not exceed.
type Goal struct {
	Name     string  `json:"name"`
	AtMost   float64 `json:"atMost"`
	Measured float64 `json:"measured"`
	Met      bool    `json:"met"`
}

func goals(r *Results) []Goal {
	var all []Goal
	add := func(n int, name string, measured, atMost float64) {
		if n > 0 {
			all = append(all, Goal{Name: name, AtMost: atMost, Measured: measured, Met: measured <= atMost})
		}
	}
	for _, kind := range Kinds() {
		add(r.Switch[kind].N, "switch, "+kind+": median ratio to a bare patch", r.Switch[kind].Ratio.Median, goalMove)
		add(r.Rollback[kind].N, "warm rollback, "+kind+": median ratio to a bare patch", r.Rollback[kind].Ratio.Median, goalMove)
	}
	for _, kind := range Kinds() {
		w := r.WritesPerRelease[kind]
		add(w.N, "writes to Stack, Release and entry until a release is live, "+kind, w.UntilLive, goalWrite)
		add(w.N, "the same until the slot that it replaced is idle, "+kind, w.StackReleaseEntry, goalWrite)
	}
	add(r.WholeRelease.N, "whole release: median ratio to its critical path", r.WholeRelease.Ratio.Median, goalWhole)
	add(r.WholeReleaseSlow.N, fmt.Sprintf("the same, of members that take %d seconds", SlowMember), r.WholeReleaseSlow.Ratio.Median, goalWhole)
	return all
}
