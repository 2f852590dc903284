package launch

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// debian lists programs that are not built here and the packages they are in.
var debian = []struct{ program, pkg string }{
	{"runc", "runc"},
	{"nft", "nftables"},
	{"ip", "iproute2"},
	{"git", "git"},
	{"nsenter", "util-linux"},
}

func missingPackages(find func(string) (string, error)) []string {
	var missing []string
	for _, d := range debian {
		if _, err := find(d.program); err != nil {
			missing = append(missing, d.pkg)
		}
	}
	return missing
}

// installPackages gets what is missing where there is apt, and says what to
// install where there is not.
func installPackages(out io.Writer) error {
	missing := missingPackages(exec.LookPath)
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("please install %s", strings.Join(missing, ", "))
	}
	started := time.Now()
	fmt.Fprintf(out, "installing %s …\n", strings.Join(missing, ", "))
	for _, args := range [][]string{{"update", "-qq"}, append([]string{"install", "-qq", "-y", "--no-install-recommends"}, missing...)} {
		if said, err := exec.Command("apt-get", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, said)
		}
	}
	fmt.Fprintf(out, "installed in %s\n", time.Since(started).Round(time.Second))
	return nil
}
