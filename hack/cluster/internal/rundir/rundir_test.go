package rundir

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestExports(t *testing.T) {
	d := Dir{Name: "local", Path: "/tmp/it's here/lockstep-local"}
	got := exports(d.Env(Ports{API: 1, Gateway: 2, Git: 3}))
	want := `export KUBECONFIG='/tmp/it'\''s here/lockstep-local/kubeconfig'
export LOCKSTEP_CLUSTER=local
export LOCKSTEP_GATEWAY=127.0.0.1:2
export LOCKSTEP_GIT=http://127.0.0.1:3
export LOCKSTEP_GIT_INSIDE=http://git.git-system.svc.cluster.local
export LOCKSTEP_KUBECTL='/tmp/it'\''s here/lockstep-local/bin/kubectl'
`
	if got != want {
		t.Errorf("got\n%s\nwanted\n%s", got, want)
	}
}

func TestNames(t *testing.T) {
	for name, valid := range map[string]bool{
		"local": true, "e2e-1": true, "a": true,
		"": false, "-a": false, "a-": false, "../a": false, "A": false, "a b": false,
		"abcdefghijklmnopqrstuvwxyzabcdefghij": false,
	} {
		if _, err := Of(name); (err == nil) != valid {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestParseStat(t *testing.T) {
	tail := " 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0"
	tests := []struct {
		stat, started string
		alive         bool
	}{
		{"7 (sh) S" + tail, "4711", true},
		{"7 (a) Z) S (b) R" + tail, "4711", true},
		{"7 (sh) Z" + tail, "4711", false},
		{"nonsense", "", false},
	}
	for _, test := range tests {
		if started, alive := parseStat(test.stat); started != test.started || alive != test.alive {
			t.Errorf("%q: %q, %v", test.stat, started, alive)
		}
	}
}

func TestKillEndsOnlyTheProcessThatWasRecorded(t *testing.T) {
	d := Dir{Name: "test", Path: t.TempDir()}
	sleep := exec.Command("sleep", "60")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleep.Process.Kill() }()
	if err := WriteJSON(d.file("pid"), process{PID: sleep.Process.Pid, Started: "1"}); err != nil {
		t.Fatal(err)
	}
	if d.Running() {
		t.Error("a process with another start time passes for the cluster")
	}
	if err := d.SetPID(sleep.Process.Pid); err != nil || !d.Running() {
		t.Fatalf("running %v, %v", d.Running(), err)
	}
	if err := d.Kill(time.Second); err != nil {
		t.Error(err)
	}
}

func TestCgroupsAreRemovedChildrenFirst(t *testing.T) {
	mount := t.TempDir()
	for _, dir := range []string{"cpu/lockstep-a/kubepods/pod1", "memory/lockstep-a/kubepods", "cpu/lockstep-ab", "lockstep-a/x"} {
		if err := os.MkdirAll(filepath.Join(mount, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeCgroups(mount, "lockstep-a", time.Second); err != nil {
		t.Fatal(err)
	}
	if left := findCgroups(mount, "lockstep-a"); left != nil {
		t.Errorf("left %v", left)
	}
	if left := findCgroups(mount, "lockstep-ab"); len(left) != 1 {
		t.Errorf("another cluster's cgroup is gone: %v", left)
	}
}
