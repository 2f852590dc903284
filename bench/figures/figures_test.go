package figures

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSpread(t *testing.T) {
	for name, test := range map[string]struct {
		values []float64
		want   Spread
	}{
		"none":           {nil, Spread{}},
		"one":            {[]float64{7}, Spread{7, 7}},
		"odd, unordered": {[]float64{9, 1, 5}, Spread{5, 8.6}},
		"even":           {[]float64{4, 1, 3, 2}, Spread{2.5, 3.85}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, SpreadOf(test.values)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSpreadLeavesItsFiguresInOrder(t *testing.T) {
	values := []float64{3, 1, 2}
	SpreadOf(values)
	if diff := cmp.Diff([]float64{3, 1, 2}, values); diff != "" {
		t.Error(diff)
	}
}

// The ratio is taken pair by pair: a slow moment of the machine hits both of a pair.
func TestMovesCompareEachWithItsPair(t *testing.T) {
	m := MovesOf([]Pair{{LockstepMs: 150, BareMs: 100}, {LockstepMs: 1000, BareMs: 1000}, {LockstepMs: 400, BareMs: 200}})
	want := Moves{N: 3, Ratio: Spread{1.5, 1.95}, RatioOfMedians: 2, LockstepMs: Spread{400, 940}, BareMs: Spread{200, 920}}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
}

// A last request that began before the patch was sent makes a negative or tiny time, and must not make a ratio without bound.
func TestMovesWithoutBareTime(t *testing.T) {
	m := MovesOf([]Pair{{LockstepMs: 10, BareMs: -2}})
	if math.IsInf(m.Ratio.Median, 0) || m.Ratio.Median != 10 {
		t.Errorf("the ratio is %v", m.Ratio.Median)
	}
}

func TestCriticalPath(t *testing.T) {
	took := map[string]time.Duration{"a": 1, "b": 5, "c": 2, "d": 1}
	for name, test := range map[string]struct {
		dependsOn map[string][]string
		want      time.Duration
	}{
		"nothing waits":      {nil, 5},
		"a chain":            {map[string][]string{"b": {"a"}, "c": {"b"}}, 8},
		"the longer branch":  {map[string][]string{"d": {"b", "c"}, "c": {"a"}}, 6},
		"a cycle ends":       {map[string][]string{"a": {"b"}, "b": {"a"}}, 6},
		"unknown are free":   {map[string][]string{"a": {"elsewhere"}}, 5},
		"all in one diamond": {map[string][]string{"b": {"a"}, "c": {"a"}, "d": {"b", "c"}}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CriticalPath(test.dependsOn, took); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestWritesAreMeansAndTellWhatConcernsTheRelease(t *testing.T) {
	w := WritesOf([]Counted{
		{UntilLive: map[string]float64{"update stacks/status": 4, "apply deployments": 3}, Whole: map[string]float64{"update stacks/status": 6, "apply deployments": 3, "update httproutes": 2}},
		{UntilLive: map[string]float64{"update stacks/status": 5}, Whole: map[string]float64{"update stacks/status": 7, "apply deployments": 4, "update httproutes": 2}},
	})
	want := Writes{N: 2, StackReleaseEntry: 8.5, UntilLive: 4.5, Total: 12, ByKind: []Write{
		{"apply", "deployments", 3.5}, {"update", "httproutes", 2}, {"update", "stacks/status", 6.5},
	}}
	if diff := cmp.Diff(want, w); diff != "" {
		t.Error(diff)
	}
}

func measured() *Results {
	r := NewResults()
	r.Samples.Switch[HTTPRoute] = []Pair{{LockstepMs: 140, BareMs: 100}}
	r.Samples.Rollback[VirtualService] = []Pair{{LockstepMs: 160, BareMs: 100}}
	r.Samples.Writes[HTTPRoute] = []Counted{{UntilLive: map[string]float64{"update stacks/status": 9}, Whole: map[string]float64{"update stacks/status": 13}}}
	r.Samples.Whole = []WholeSample{{Lockstep: 11, Critical: 10, Bare: 10.5, BareCritical: 10}, {Delay: SlowMember, Lockstep: 25, Critical: 20, Bare: 21, BareCritical: 20}}
	r.Conclude(10)
	return r
}

func TestGoals(t *testing.T) {
	want := []Goal{
		{"warm rollback, virtualservice: median ratio to a bare patch", 1.5, 1.6, false},
		{"switch, httproute: median ratio to a bare patch", 1.5, 1.4, true},
		{"writes to Stack, Release and entry until a release is live, httproute", 12, 9, true},
		{"the same until the slot that it replaced is idle, httproute", 12, 13, false},
		{"whole release: median ratio to its critical path", 1.2, 1.1, true},
		{"the same, of members that take 3 seconds", 1.2, 1.25, false},
	}
	if diff := cmp.Diff(want, measured().Goals); diff != "" {
		t.Error(diff)
	}
}

// Others read these keys of build/bench.json.
func TestKeysOfTheResults(t *testing.T) {
	raw, err := json.Marshal(measured())
	if err != nil {
		t.Fatal(err)
	}
	var read map[string]any
	if err := json.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"switch/virtualservice/ratio/median", "switch/virtualservice/ratio/p95", "switch/httproute/ratio/median", "switch/httproute/ratio/p95",
		"rollback/virtualservice/ratio/median", "rollback/virtualservice/ratio/p95", "rollback/httproute/ratio/median", "rollback/httproute/ratio/p95",
		"writesPerRelease/httproute/stackReleaseEntry", "wholeRelease/ratio/median",
	} {
		var at any = read
		for key := range strings.SplitSeq(path, "/") {
			inner, _ := at.(map[string]any)
			at = inner[key]
		}
		if _, ok := at.(float64); !ok {
			t.Errorf("%s is %v", path, at)
		}
	}
}

func TestAnotherRunAddsToTheSamples(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench.json")
	none, err := Read(file)
	if err != nil || len(none.Samples.Switch) != 0 {
		t.Fatalf("%v %v", none, err)
	}
	if err := measured().Save(file); err != nil {
		t.Fatal(err)
	}
	again, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	again.Samples.Switch[HTTPRoute] = append(again.Samples.Switch[HTTPRoute], Pair{LockstepMs: 200, BareMs: 100})
	again.Conclude(10)
	if m := again.Switch[HTTPRoute]; m.N != 2 || m.Ratio.Median != 1.7 {
		t.Errorf("%+v", m)
	}
}

func TestTableAndPlotShowEveryMove(t *testing.T) {
	r := measured()
	table := &strings.Builder{}
	if err := r.Table(table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"MISSED", "140", "1.60", "writes to Stack", "until the slot"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
	if dots := strings.Count(r.Plot(), "<circle"); dots != 4 {
		t.Errorf("the plot has %d dots, want 4", dots)
	}
}
