package controller

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// inbox keeps what came of actions until a plan that has seen it is saved. It is lost when the process dies: the actions
// are then done again, and say the same.
type inbox struct {
	mu    sync.Mutex
	last  int64
	mails map[types.NamespacedName]mail
}

type mail []letter

type letter struct {
	number int64
	// from is the key of the long action that wrote it; empty for others.
	from        string
	observation v1alpha1.Observation
}

func newInbox() *inbox { return &inbox{mails: map[types.NamespacedName]mail{}} }

// put adds observations. A newer one of the same thing takes the place of an older one.
func (i *inbox) put(stack types.NamespacedName, from string, found []v1alpha1.Observation) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, o := range found {
		i.last++
		kept := i.mails[stack].without(func(l letter) bool { return sameThing(l.observation, o) })
		i.mails[stack] = append(kept, letter{number: i.last, from: from, observation: o})
	}
}

func sameThing(a, b v1alpha1.Observation) bool {
	return a.Key == b.Key && a.Release == b.Release && a.Step == b.Step && a.Attempt == b.Attempt
}

func (i *inbox) read(stack types.NamespacedName) mail {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append(mail(nil), i.mails[stack]...)
}

// drop forgets letters that were read; what came in since stays.
func (i *inbox) drop(stack types.NamespacedName, read mail) {
	i.mu.Lock()
	defer i.mu.Unlock()
	numbers := map[int64]bool{}
	for _, l := range read {
		numbers[l.number] = true
	}
	left := i.mails[stack].without(func(l letter) bool { return numbers[l.number] })
	if len(left) == 0 {
		delete(i.mails, stack)
		return
	}
	i.mails[stack] = left
}

// holds reports whether a letter of a long action has not been dealt with yet.
func (i *inbox) holds(stack types.NamespacedName, from string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, l := range i.mails[stack] {
		if l.from == from {
			return true
		}
	}
	return false
}

func (i *inbox) forget(stack types.NamespacedName) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.mails, stack)
}

func (m mail) without(gone func(letter) bool) mail {
	var left mail
	for _, l := range m {
		if !gone(l) {
			left = append(left, l)
		}
	}
	return left
}

func (m mail) observations() []v1alpha1.Observation {
	var all []v1alpha1.Observation
	for _, l := range m {
		all = append(all, l.observation)
	}
	return all
}
