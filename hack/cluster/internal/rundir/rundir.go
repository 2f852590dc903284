// Package rundir is what a running cluster leaves on the machine for others to
// find it by: a directory, and its cgroups.
package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Dir is the run directory of one cluster.
type Dir struct{ Name, Path string }

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$`)

// Of tells where the run directory of the cluster with that name is.
func Of(name string) (Dir, error) {
	if !validName.MatchString(name) {
		return Dir{}, fmt.Errorf("%q cannot name a cluster: use up to 30 of a-z, 0-9 and -", name)
	}
	path, err := filepath.Abs(filepath.Join(os.TempDir(), "lockstep-"+name))
	return Dir{Name: name, Path: path}, err
}

func (d Dir) file(name string) string { return filepath.Join(d.Path, name) }

// Kubeconfig is valid outside and inside the cluster's network.
func (d Dir) Kubeconfig() string { return d.file("kubeconfig") }

// EnvFile holds shell `export` lines.
func (d Dir) EnvFile() string { return d.file("env") }

// Bin holds links to the programs that the cluster runs.
func (d Dir) Bin() string { return d.file("bin") }

// Logs holds a file per component.
func (d Dir) Logs() string { return d.file("logs") }

// DaemonLog is what the daemon itself says.
func (d Dir) DaemonLog() string { return d.file("daemon.log") }

// Log is the log of one component.
func (d Dir) Log(component string) string { return filepath.Join(d.Logs(), component+".log") }

// Config is what `up` tells the daemon.
func (d Dir) Config() string { return d.file("config.json") }

// Cgroup is the name, in every hierarchy, of the cgroup above all its containers.
func (d Dir) Cgroup() string { return "lockstep-" + d.Name }

// Create makes an empty run directory.
func (d Dir) Create() error {
	if err := os.RemoveAll(d.Path); err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(d.Logs(), 0o755), os.MkdirAll(d.Bin(), 0o755))
}

// MarkReady records that the cluster may be used.
func (d Dir) MarkReady() error { return os.WriteFile(d.file("ready"), nil, 0o644) }

// Ready tells whether the cluster runs and may be used.
func (d Dir) Ready() bool {
	_, err := os.Stat(d.file("ready"))
	return err == nil && d.Running()
}

// WriteJSON stores v in one of the directory's files.
func WriteJSON(path string, v any) error {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o600)
}

// ReadJSON loads what WriteJSON has stored.
func ReadJSON(path string, v any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, v)
}

// Clean removes what a dead cluster has left. With keepLogs, for the sake of
// whoever has to find out why it died, the logs stay.
func (d Dir) Clean(keepLogs bool) error {
	if d.Running() {
		return fmt.Errorf("cluster %s still runs", d.Name)
	}
	err := removeCgroups(cgroupMount, d.Cgroup(), 5*time.Second)
	if !keepLogs {
		return errors.Join(err, os.RemoveAll(d.Path))
	}
	for _, name := range []string{"ready", "pid", "kubeconfig", "env", "bin"} {
		err = errors.Join(err, os.RemoveAll(d.file(name)))
	}
	return err
}

// Exists tells whether there is a run directory, of a live cluster or a dead one.
func (d Dir) Exists() bool {
	_, err := os.Stat(d.Path)
	return !errors.Is(err, fs.ErrNotExist)
}
