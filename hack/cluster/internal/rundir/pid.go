package rundir

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process names a process for good: ids are used again, start times are not.
type process struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

// SetPID records the process whose end is the cluster's end.
func (d Dir) SetPID(pid int) error {
	started, _ := startTime(pid)
	return WriteJSON(d.file("pid"), process{PID: pid, Started: started})
}

// PID is the id of the cluster's first process, if that runs.
func (d Dir) PID() (int, bool) {
	var p process
	if err := ReadJSON(d.file("pid"), &p); err != nil || p.PID <= 1 {
		return 0, false
	}
	started, alive := startTime(p.PID)
	return p.PID, alive && started == p.Started
}

// Running tells whether the cluster's first process runs.
func (d Dir) Running() bool {
	_, running := d.PID()
	return running
}

// Kill ends the cluster and waits until its first process is gone. The kernel
// ends all others with it, as it is the first of their PID namespace.
func (d Dir) Kill(patience time.Duration) error {
	pid, running := d.PID()
	if !running {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %d: %w", pid, err)
	}
	for deadline := time.Now().Add(patience); d.Running(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d of cluster %s did not end in %s", pid, d.Name, patience)
		}
	}
	return nil
}

// startTime reads when a process began, and whether it is more than a zombie.
func startTime(pid int) (string, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", false
	}
	return parseStat(string(stat))
}

// parseStat takes fields 3 (state) and 22 (start time) of proc_pid_stat(5). The
// second field is a name in parentheses that may hold anything.
func parseStat(stat string) (string, bool) {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 20 {
		return "", false
	}
	return fields[19], fields[0] != "Z" && fields[0] != "X"
}
