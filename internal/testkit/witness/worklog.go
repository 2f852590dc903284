package witness

import (
	"cmp"
	"slices"
	"time"
)

// Entry is what a worker says of itself in a line of its log.
type Entry struct {
	// Kind is "start", "entry" or "stop". All of them say that the worker was at work then.
	Kind    string    `json:"ledger"`
	Time    time.Time `json:"time"`
	Release string    `json:"release"`
	Slot    string    `json:"slot"`
	Pod     string    `json:"pod"`
}

// Holder is whom work belongs to. No two may work at the same time.
type Holder struct {
	Slot    string `json:"slot"`
	Release string `json:"release"`
}

// Actor is one pod at work. It was active from its first entry to its last.
type Actor struct {
	Holder
	Pod     string    `json:"pod"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Entries int64     `json:"entries"`
}

func (a *Actor) add(e Entry) {
	if a.Entries == 0 {
		a.First, a.Last = e.Time, e.Time
	}
	if e.Time.Before(a.First) {
		a.First = e.Time
	}
	if e.Time.After(a.Last) {
		a.Last = e.Time
	}
	a.Entries++
}

// Overlap is two pods of different holders that were at work at the same time.
type Overlap struct {
	A    Actor     `json:"a"`
	B    Actor     `json:"b"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Handover is work that went from one holder to the next.
type Handover struct {
	From Holder `json:"from"`
	To   Holder `json:"to"`
	// Gap is the time from the last entry of the one to the first of the other,
	// in nanoseconds; negative if they overlapped. At one entry a second it is
	// known to the second where the former pod was killed before it could write its stop.
	Gap time.Duration `json:"gap"`
}

// overlaps compares pods, not holders: the same slot may work, rest and work
// again with the same release, which is no overlap with what worked between.
func overlaps(actors []Actor) []Overlap {
	var found []Overlap
	for i, a := range actors {
		for _, b := range actors[i+1:] {
			if a.Holder == b.Holder {
				continue
			}
			from, to := later(a.First, b.First), earlier(a.Last, b.Last)
			if !to.Before(from) {
				found = append(found, Overlap{A: a, B: b, From: from, To: to})
			}
		}
	}
	return found
}

func handovers(actors []Actor) []Handover {
	sorted := slices.SortedFunc(slices.Values(actors), func(a, b Actor) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Pod, b.Pod))
	})
	var found []Handover
	var last time.Time
	for i, actor := range sorted {
		if i > 0 && actor.Holder != sorted[i-1].Holder {
			found = append(found, Handover{From: sorted[i-1].Holder, To: actor.Holder, Gap: actor.First.Sub(last)})
			last = time.Time{}
		}
		last = later(last, actor.Last)
	}
	return found
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
