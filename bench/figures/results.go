package figures

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// The kinds of entries, as they are named in the results.
const (
	VirtualService = "virtualservice"
	HTTPRoute      = "httproute"
)

// Kinds are the kinds of entries, in the order in which they are shown.
func Kinds() []string { return []string{VirtualService, HTTPRoute} }

// Results are build/bench.json.
type Results struct {
	At      string  `json:"at"`
	Machine Machine `json:"machine"`
	// Switch and Rollback are by kind of entry; a rollback is one to a slot that was kept warm.
	Switch   map[string]Moves `json:"switch"`
	Rollback map[string]Moves `json:"rollback"`
	// WritesPerRelease is by kind of entry.
	WritesPerRelease map[string]Writes `json:"writesPerRelease"`
	// Controller is by the number of idle Stacks.
	Controller map[string]Idle `json:"controller"`
	// PlanNext is by the number of members.
	PlanNext     map[string]PlanNext `json:"planNext"`
	WholeRelease Whole               `json:"wholeRelease"`
	// WholeReleaseSlow is of members that wait SlowMember seconds before they do anything.
	WholeReleaseSlow Whole   `json:"wholeReleaseSlow"`
	Users            Users   `json:"users"`
	Goals            []Goal  `json:"goals"`
	Samples          Samples `json:"samples"`
}

// Machine is what it was measured on.
type Machine struct {
	CPU    string  `json:"cpu"`
	CPUs   int     `json:"cpus"`
	Memory float64 `json:"memoryGiB"`
	Kernel string  `json:"kernel"`
	Go     string  `json:"go"`
	// Load is the mean number of processes that wanted to run, over five minutes at the end: twice the processors say that
	// something else ran beside the benchmark.
	Load float64 `json:"load5"`
}

// Write counts requests of the controller.
type Write struct {
	Verb     string  `json:"verb"`
	Resource string  `json:"resource"`
	Count    float64 `json:"count"`
}

// Writes are what one release makes the controller write, from the creation of the Release until the slot that it
// replaced is idle again: means of several releases.
type Writes struct {
	N int `json:"n"`
	// StackReleaseEntry are those to Stacks, Releases, and routes with their ReferenceGrants.
	StackReleaseEntry float64 `json:"stackReleaseEntry"`
	// UntilLive are those of StackReleaseEntry that came before the release was live.
	UntilLive float64 `json:"stackReleaseEntryUntilLive"`
	Total     float64 `json:"total"`
	ByKind    []Write `json:"byVerbAndResource"`
}

// Counted is what one release wrote, by "verb resource".
type Counted struct {
	UntilLive map[string]float64 `json:"untilLive"`
	Whole     map[string]float64 `json:"whole"`
}

// WritesOf is the mean of several releases.
func WritesOf(all []Counted) Writes {
	w := Writes{N: len(all)}
	if w.N == 0 {
		return w
	}
	sums := map[string]float64{}
	for _, c := range all {
		for key, count := range c.Whole {
			sums[key] += count
			if concerns(key) {
				w.StackReleaseEntry += count
			}
			w.Total += count
		}
		for key, count := range c.UntilLive {
			if concerns(key) {
				w.UntilLive += count
			}
		}
	}
	n := float64(w.N)
	w.StackReleaseEntry, w.UntilLive, w.Total = round(w.StackReleaseEntry/n), round(w.UntilLive/n), round(w.Total/n)
	for key, sum := range sums {
		verb, resource, _ := strings.Cut(key, " ")
		if sum > 0 {
			w.ByKind = append(w.ByKind, Write{Verb: verb, Resource: resource, Count: round(sum / n)})
		}
	}
	slices.SortFunc(w.ByKind, func(a, b Write) int { return strings.Compare(a.Resource+a.Verb, b.Resource+b.Verb) })
	return w
}

// concerns is whether a write is to a Stack, a Release or an entry.
func concerns(key string) bool {
	_, resource, _ := strings.Cut(key, " ")
	kind, _, _ := strings.Cut(resource, "/")
	return slices.Contains([]string{"stacks", "releases", "virtualservices", "httproutes", "referencegrants"}, kind)
}

// Idle is what the controller takes while nothing happens.
type Idle struct {
	MemoryMiB float64 `json:"memoryMiB"`
	// CPUMillis are thousandths of a processor, over Seconds.
	CPUMillis float64 `json:"cpuMillis"`
	Seconds   float64 `json:"seconds"`
}

// PlanNext is what one plan takes.
type PlanNext struct {
	Ns     int64 `json:"nsPerOp"`
	Allocs int64 `json:"allocsPerOp"`
	Bytes  int64 `json:"bytesPerOp"`
}

// WholeSample is one release of the stack with dependencies, and the same objects applied bare, in seconds.
type WholeSample struct {
	// Delay is how many seconds each member waits before it does anything.
	Delay    int     `json:"delay"`
	Lockstep float64 `json:"lockstep"`
	// Critical is the longest chain of members that waited for each other, from the creation of each one's Pod until it was
	// ready, in that same release.
	Critical float64 `json:"critical"`
	Bare     float64 `json:"bare"`
	// BareCritical is Critical of the objects that were applied bare.
	BareCritical float64 `json:"bareCritical"`
	// Steps is how long the release was at each step.
	Steps map[string]float64 `json:"steps,omitempty"`
}

// Whole is what came of all whole releases.
type Whole struct {
	Members int `json:"members"`
	N       int `json:"n"`
	// Ratio is of the release to its critical path.
	Ratio Spread `json:"ratio"`
	// BareRatio is of the same objects, applied bare in the same order, to their critical path.
	BareRatio Spread `json:"bareRatio"`
	// ToBare is of the release to the bare apply.
	ToBare          Spread `json:"ratioToBare"`
	Seconds         Spread `json:"seconds"`
	CriticalSeconds Spread `json:"criticalPathSeconds"`
	BareSeconds     Spread `json:"bareSeconds"`
}

// SlowMember is how many seconds the members of the second series wait before they do anything.
const SlowMember = 3

// withDelay are the samples of one series.
func withDelay(delay int, samples []WholeSample) []WholeSample {
	return slices.DeleteFunc(slices.Clone(samples), func(s WholeSample) bool { return s.Delay != delay })
}

// WholeOf is the zero Whole, but for members, where there are no samples.
func WholeOf(members int, samples []WholeSample) Whole {
	of := func(get func(WholeSample) float64) Spread {
		var all []float64
		for _, s := range samples {
			all = append(all, get(s))
		}
		return SpreadOf(all)
	}
	return Whole{
		Members: members, N: len(samples),
		Ratio:           of(func(s WholeSample) float64 { return s.Lockstep / s.Critical }),
		BareRatio:       of(func(s WholeSample) float64 { return s.Bare / s.BareCritical }),
		ToBare:          of(func(s WholeSample) float64 { return s.Lockstep / s.Bare }),
		Seconds:         of(func(s WholeSample) float64 { return s.Lockstep }),
		CriticalSeconds: of(func(s WholeSample) float64 { return s.Critical }),
		BareSeconds:     of(func(s WholeSample) float64 { return s.Bare }),
	}
}

// Users is what the witness counted in all moves together.
type Users struct {
	Requests int64 `json:"requests"`
	Failed   int64 `json:"failed"`
	Mixed    int64 `json:"mixed"`
}

// Add counts what another witness saw.
func (u *Users) Add(requests, failed, mixed int64) {
	u.Requests, u.Failed, u.Mixed = u.Requests+requests, u.Failed+failed, u.Mixed+mixed
}

// Samples are what the figures were made of, so that another run can add to them.
type Samples struct {
	Switch   map[string][]Pair    `json:"switch"`
	Rollback map[string][]Pair    `json:"rollback"`
	Writes   map[string][]Counted `json:"writes"`
	Whole    []WholeSample        `json:"whole"`
}

// NewResults holds nothing yet.
func NewResults() *Results {
	return &Results{
		Controller: map[string]Idle{}, PlanNext: map[string]PlanNext{},
		Samples: Samples{Switch: map[string][]Pair{}, Rollback: map[string][]Pair{}, Writes: map[string][]Counted{}},
	}
}

// Read reads what an earlier run has written; nothing where there is none.
func Read(file string) (*Results, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return NewResults(), nil
	}
	if err != nil {
		return nil, err
	}
	r := NewResults()
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// Conclude works out the figures from the samples.
func (r *Results) Conclude(members int) {
	r.Switch, r.Rollback, r.WritesPerRelease = map[string]Moves{}, map[string]Moves{}, map[string]Writes{}
	for _, kind := range Kinds() {
		r.Switch[kind], r.Rollback[kind] = MovesOf(r.Samples.Switch[kind]), MovesOf(r.Samples.Rollback[kind])
		r.WritesPerRelease[kind] = WritesOf(r.Samples.Writes[kind])
	}
	r.WholeRelease = WholeOf(members, withDelay(0, r.Samples.Whole))
	r.WholeReleaseSlow = WholeOf(members, withDelay(SlowMember, r.Samples.Whole))
	r.Goals = goals(r)
}

// Save writes the results as JSON.
func (r *Results) Save(file string) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(raw, '\n'), 0o644)
}
