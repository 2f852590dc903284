package selftest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/rundir"
)

// leftovers is all that a cluster could leave on the machine.
type leftovers struct {
	processes []string // ids of those with the cluster's files, or below its first process
	networks  []string // network namespaces of these
	mounts    []string // that name the cluster
	cgroups   []string
	runDir    bool
}

func (l leftovers) String() string {
	return fmt.Sprintf("processes %v, networks %v, mounts %v, cgroups %v, run directory %v", l.processes, l.networks, l.mounts, l.cgroups, l.runDir)
}

// look finds what there is of the cluster now.
func look(dir rundir.Dir) (leftovers, error) {
	found := leftovers{cgroups: dir.Cgroups(), runDir: dir.Exists()}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return found, err
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir.Path) || strings.Contains(line, dir.Cgroup()) || strings.Contains(line, "/run/lockstep") {
			found.mounts = append(found.mounts, strings.TrimSpace(line))
		}
	}
	pid, running := dir.PID()
	if running {
		found.processes = below(strconv.Itoa(pid))
		found.networks = networksOf(found.processes)
	}
	return found, nil
}

// below lists a process and all its descendants.
func below(root string) []string {
	parents := map[string]string{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		parents[filepath.Base(filepath.Dir(file))] = fields[1]
	}
	var found []string
	for pid := range parents {
		for p := pid; p != "" && p != "0"; p = parents[p] {
			if p == root {
				found = append(found, pid)
			}
		}
	}
	return found
}

func networksOf(pids []string) []string {
	var found []string
	for _, pid := range pids {
		if ns, err := os.Readlink("/proc/" + pid + "/ns/net"); err == nil && !slices.Contains(found, ns) {
			found = append(found, ns)
		}
	}
	return found
}

// kill ends the cluster as roughly as can be and compares.
func (t *test) kill() error {
	running, err := look(t.dir)
	if err != nil {
		return err
	}
	if len(running.processes) < 15 || len(running.networks) < 4 || len(running.cgroups) == 0 {
		return fmt.Errorf("this does not look like a cluster: %v", running)
	}
	pid, _ := t.dir.PID()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	return within(10*time.Second, func() error { return t.gone(running) })
}

func (t *test) gone(running leftovers) error {
	now, err := look(t.dir)
	if err != nil {
		return err
	}
	for _, pid := range running.processes {
		if networks := networksOf([]string{pid}); len(networks) > 0 && slices.Contains(running.networks, networks[0]) {
			now.processes = append(now.processes, pid)
		}
	}
	everyone, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for i := range everyone {
		everyone[i] = filepath.Base(everyone[i])
	}
	for _, network := range networksOf(everyone) {
		if slices.Contains(running.networks, network) {
			now.networks = append(now.networks, network)
		}
	}
	if now.String() != t.before.String() {
		return errors.New("left behind: " + now.String())
	}
	return nil
}
