package controller

import (
	"encoding/json"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/internal/plan"
)

const (
	// soon is when the pass after a write looks at what became of it.
	soon = 20 * time.Millisecond
	// slowest bounds how far apart passes get that ask for the same thing over and over.
	slowest = time.Second
)

// pace slows down passes that make no headway: a plan that asks for the same again is looked at less and less often. A
// change in the cluster brings a pass at once all the same.
type pace struct {
	mu    sync.Mutex
	seen  map[types.NamespacedName]string
	times map[types.NamespacedName]int
}

func newPace() *pace {
	return &pace{seen: map[types.NamespacedName]string{}, times: map[types.NamespacedName]int{}}
}

func (p *pace) next(stack types.NamespacedName, actions []plan.Action) time.Duration {
	print := fingerprint(actions)
	p.mu.Lock()
	defer p.mu.Unlock()
	if last, known := p.seen[stack]; known && last == print {
		p.times[stack]++
	} else {
		p.seen[stack], p.times[stack] = print, 0
	}
	return min(slowest, soon<<min(p.times[stack], 10))
}

func (p *pace) forget(stack types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.seen, stack)
	delete(p.times, stack)
}

func fingerprint(actions []plan.Action) string {
	var out strings.Builder
	for _, a := range actions {
		raw, _ := json.Marshal(a) // plain data: it cannot fail
		out.WriteString(a.Verb())
		out.Write(raw)
	}
	return out.String()
}
