package launch

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/node"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/rundir"
)

// Inside makes a command that runs in the cluster's network, mount and PID
// namespaces, in directory dir, with the cluster's variables set.
func Inside(cluster rundir.Dir, dir string, args ...string) (*exec.Cmd, error) {
	pid, running := cluster.PID()
	if !running {
		return nil, fmt.Errorf("cluster %s is not up: run `up` first", cluster.Name)
	}
	var config node.Config
	if err := rundir.ReadJSON(cluster.Config(), &config); err != nil {
		return nil, err
	}
	// A working directory from before the change of mount namespace would be
	// unreachable after it, hence the `cd`.
	enter := []string{"--target", strconv.Itoa(pid), "--mount", "--net", "--pid", "--", "sh", "-c", `cd "$0" && exec "$@"`, dir}
	cmd := exec.Command("nsenter", append(enter, args...)...)
	cmd.Env = append(os.Environ(), cluster.Env(config.Ports)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd, nil
}

// Load imports image archives.
func Load(cluster rundir.Dir, archives ...string) error {
	for _, archive := range archives {
		if _, err := os.Stat(archive); err != nil {
			return err
		}
		args := append([]string{cluster.Bin() + "/ctr"}, node.ImportArgs("/dev/stdin")...)
		cmd, err := Inside(cluster, "/", args...)
		if err != nil {
			return err
		}
		if err := feed(cmd, archive); err != nil {
			return fmt.Errorf("import %s: %w", archive, err)
		}
	}
	return nil
}

// feed sends the archive through a pipe, as its path may mean something else
// inside.
func feed(cmd *exec.Cmd, archive string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	cmd.Stdin = file
	return cmd.Run()
}
