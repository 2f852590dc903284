package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const exposition = `# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 5.24288e+07
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 1.5
# TYPE lockstep_api_writes_total counter
lockstep_api_writes_total{dry_run="false",group="lockstep.dev",resource="stacks/status",result="ok",verb="update"} 7
lockstep_api_writes_total{dry_run="false",group="lockstep.dev",resource="stacks/status",result="conflict",verb="update"} 2
lockstep_api_writes_total{dry_run="true",group="apps",resource="deployments",result="ok",verb="apply"} 5
`

func TestReadingCountsConflictsAndLeavesOutDryRuns(t *testing.T) {
	r, err := read([]byte(exposition))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"update stacks/status": 9}
	if diff := cmp.Diff(want, r.writes); diff != "" || r.memory != 50<<20 || r.cpu != 1.5 {
		t.Errorf("%+v %s", r, diff)
	}
	if diff := cmp.Diff(map[string]float64{"update stacks/status": 4}, r.since(reading{writes: map[string]float64{"update stacks/status": 5}})); diff != "" {
		t.Error(diff)
	}
}
