package render

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// parentVariable makes the test binary render an endless template below a directory, to be killed meanwhile.
const parentVariable = "LOCKSTEP_TEST_PARENT"

func TestRendererDiesWithItsParent(t *testing.T) {
	if root := os.Getenv(parentVariable); root != "" {
		_, err := Run(t.Context(), helmRequest(root, "c"))
		t.Fatal(err)
	}
	root := chartWith(t, endless)
	parent := exec.Command(os.Args[0], "-test.run", "^TestRendererDiesWithItsParent$")
	parent.Env = append(os.Environ(), parentVariable+"="+root)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the renderer has started", func() bool { return working(t, root) })
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	await(t, "the renderer is gone", func() bool { return !working(t, root) })
}

// working is whether a renderer works in a checkout.
func working(t *testing.T, root string) bool {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range processes {
		dir, _ := os.Readlink(process + "/cwd")
		command, _ := os.ReadFile(process + "/cmdline")
		if dir == root && strings.Contains(string(command), childArgument) {
			return true
		}
	}
	return false
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 200 {
		if done() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("waited in vain until %s", what)
}

// Root can always cut the network off; whether others can is up to the kernel.
func TestRendererHasNoNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may cut off the network on every kernel")
	}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd, err := start(func() *exec.Cmd {
		cmd := exec.Command("readlink", "/proc/self/ns/net")
		cmd.Stdout = &out
		return cmd
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if theirs := strings.TrimSpace(out.String()); theirs == own || theirs == "" {
		t.Errorf("the child is in the network %q, and this process in %q", theirs, own)
	}
}

// A program that forgets MaybeChild would start itself over and over.
func TestProgramThatForgetsToBeAChild(t *testing.T) {
	t.Setenv(childVariable, "1")
	_, err := Run(t.Context(), shopRequest())
	if err == nil || !strings.Contains(fmt.Sprint(err), "MaybeChild") {
		t.Errorf("want an error that names MaybeChild, got %v", err)
	}
}

// confinedVariable makes the test binary confine itself and write to a file.
const confinedVariable = "LOCKSTEP_TEST_CONFINED"

func TestRendererWritesNoFiles(t *testing.T) {
	if name := os.Getenv(confinedVariable); name != "" {
		if err := confine(Limits{}.withDefaults()); err != nil {
			t.Fatal(err)
		}
		_ = os.WriteFile(name, []byte("written"), 0o644)
		return
	}
	name := filepath.Join(t.TempDir(), "file")
	confined := exec.Command(os.Args[0], "-test.run", "^TestRendererWritesNoFiles$")
	confined.Env = append(os.Environ(), confinedVariable+"="+name)
	// The kernel may end it for the attempt.
	_ = confined.Run()
	content, err := os.ReadFile(name)
	if err != nil || len(content) != 0 {
		t.Errorf("want an empty file, got %q (%v)", content, err)
	}
}
