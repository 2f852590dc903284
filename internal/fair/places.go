// Package fair bounds how much goes on at once, so that no team keeps the others waiting.
package fair

import (
	"context"
	"sync"
)

// Places bounds what goes on at once: in all, and of each owner. It can be used from several goroutines.
type Places struct {
	all  chan struct{}
	each int

	mu   sync.Mutex
	of   map[string]chan struct{}
	uses map[string]int
}

// New returns that many places in all, of which each owner has at most so many at a time.
func New(all, each int) *Places {
	return &Places{all: make(chan struct{}, all), each: each, of: map[string]chan struct{}{}, uses: map[string]int{}}
}

// Take waits for a place, and returns what gives it back; nil where ctx ended first. An owner who has all of its own waits
// for one of these, and takes no other owner's place meanwhile.
func (p *Places) Take(ctx context.Context, owner string) (leave func()) {
	own := p.enter(owner)
	if !acquire(ctx, own) {
		p.exit(owner)
		return nil
	}
	if !acquire(ctx, p.all) {
		<-own
		p.exit(owner)
		return nil
	}
	return func() {
		<-p.all
		<-own
		p.exit(owner)
	}
}

func acquire(ctx context.Context, places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *Places) enter(owner string) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.uses[owner]++
	if p.of[owner] == nil {
		p.of[owner] = make(chan struct{}, p.each)
	}
	return p.of[owner]
}

// exit forgets an owner who neither has a place nor waits for one.
func (p *Places) exit(owner string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.uses[owner]--
	if p.uses[owner] == 0 {
		delete(p.uses, owner)
		delete(p.of, owner)
	}
}
