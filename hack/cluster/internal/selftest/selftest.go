package selftest

import (
	"errors"
	"io"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/artifact"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/rundir"
)

func Run(dir rundir.Dir, store *artifact.Store, out io.Writer) error { return errors.New("todo") }
