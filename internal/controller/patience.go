package controller

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// tellWithin is how long what people are told of an ordinary wait may lag behind, so that it is saved together with what
// follows: a release would else write its Stack twice as often, and take longer for it.
const tellWithin = 4 * time.Second

// patience remembers when the status of each Stack was last saved by this process.
type patience struct {
	mu    sync.Mutex
	saved map[types.NamespacedName]time.Time
}

func newPatience() *patience { return &patience{saved: map[types.NamespacedName]time.Time{}} }

func (p *patience) save(stack types.NamespacedName, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saved[stack] = at
}

// until is when what is only told has to be saved; the zero time where that is due.
func (p *patience) until(stack types.NamespacedName, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := p.saved[stack].Add(tellWithin); now.Before(until) {
		return until
	}
	return time.Time{}
}

func (p *patience) forget(stack types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.saved, stack)
}
