//go:build !linux

package render

import "os/exec"

// confine bounds nothing: only Linux is for production. The parent's timeout holds everywhere.
func confine(Limits) error { return nil }

func start(command func() *exec.Cmd) (*exec.Cmd, error) {
	cmd := command()
	return cmd, cmd.Start()
}
