package main

import (
	"context"
	"fmt"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/bench/figures"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
	"github.com/lockstep-dev/lockstep/internal/testkit/witness"
)

const (
	// qps of users: a last request is known to 5 ms.
	qps = 200
	// warmUp is how many requests are served before users are moved, so that every connection is open.
	warmUp = 100
	// quiet is how long the old slot must have been left alone for its last request to be the last.
	quiet = 500 * time.Millisecond
	// settle is between two moves, so that neither meets what the other has set off.
	settle = 300 * time.Millisecond
)

// allMoves takes the kinds of entries in turn, so that what the machine does meanwhile meets both.
func (b *bench) allMoves(ctx context.Context) error {
	twins := map[string]*twin{}
	for _, kind := range figures.Kinds() {
		s, err := b.shopBehind(ctx, kind)
		if err != nil {
			return err
		}
		if twins[kind], err = s.twin(ctx); err != nil {
			return err
		}
	}
	for i := range b.moves {
		for _, kind := range figures.Kinds() {
			if err := b.cycle(ctx, b.shops[kind], twins[kind], i); err != nil {
				return fmt.Errorf("cycle %d of %s: %w", i+1, kind, err)
			}
		}
		if err := b.write(); err != nil { // it takes long: what was measured is kept where it is broken off
			return err
		}
	}
	return nil
}

// cycle releases to the hold, moves users there, and back.
func (b *bench) cycle(ctx context.Context, s *shop, t *twin, i int) error {
	before, err := s.unit(ctx)
	if err != nil {
		return err
	}
	r, err := s.release(ctx)
	if err != nil {
		return err
	}
	if err := s.untilHold(ctx, r.Name); err != nil {
		return err
	}
	held, err := s.unit(ctx)
	if err != nil {
		return err
	}
	there, err := b.pair(i%2 == 0,
		func() (time.Duration, error) {
			return s.decide(ctx, v1alpha1.VerbPromote, r.Name, before.LiveRelease, r.Name)
		},
		func() (time.Duration, error) { return t.patch(ctx, held.ActiveSlot, before.LiveRelease, r.Name) })
	if err != nil {
		return err
	}
	// The bare patch goes first: after a rollback Lockstep scales down the slot that its twin would still be on.
	back, err := b.pair(true,
		func() (time.Duration, error) {
			return s.decide(ctx, v1alpha1.VerbRollback, r.Name, r.Name, before.LiveRelease)
		},
		func() (time.Duration, error) { return t.patch(ctx, before.LiveSlot, r.Name, before.LiveRelease) })
	if err != nil {
		return err
	}
	b.results.Samples.Switch[s.kind] = append(b.results.Samples.Switch[s.kind], there)
	b.results.Samples.Rollback[s.kind] = append(b.results.Samples.Rollback[s.kind], back)
	b.say("%-14s %2d/%d  switch %4.0f ms, bare %4.0f ms   rollback %4.0f ms, bare %4.0f ms", s.kind, i+1, b.moves, there.LockstepMs, there.BareMs, back.LockstepMs, back.BareMs)
	return nil
}

func (b *bench) pair(bareFirst bool, lockstep, bare func() (time.Duration, error)) (figures.Pair, error) {
	p := figures.Pair{BareFirst: bareFirst}
	measure := func(into *float64, move func() (time.Duration, error)) error {
		took, err := move()
		*into = float64(took.Microseconds()) / 1000
		time.Sleep(settle)
		return err
	}
	if bareFirst {
		if err := measure(&p.BareMs, bare); err != nil {
			return p, err
		}
		return p, measure(&p.LockstepMs, lockstep)
	}
	if err := measure(&p.LockstepMs, lockstep); err != nil {
		return p, err
	}
	return p, measure(&p.BareMs, bare)
}

// decide makes a Decision that moves users from one release to another, and waits until Lockstep is done with it.
func (s *shop) decide(ctx context.Context, verb v1alpha1.Verb, about, from, to string) (time.Duration, error) {
	d, err := s.decision(ctx, verb, about)
	if err != nil {
		return 0, err
	}
	took, err := s.b.watch(ctx, s.host, from, to, func() error { return s.b.Create(ctx, d) })
	if err != nil {
		return 0, err
	}
	return took, s.untilLive(ctx, to)
}

// watch has users at a host, moves them, and returns how long after that was asked for the last request began that the
// old release served.
func (b *bench) watch(ctx context.Context, host, from, to string, move func() error) (time.Duration, error) {
	users := witness.Start(ctx, witness.Options{Target: b.Gateway, Host: host, QPS: qps, Connections: 8})
	defer users.Stop()
	err := journey.Until(ctx, 20*time.Second, func(context.Context) error {
		if seen := users.Releases(); seen[from] < warmUp {
			return fmt.Errorf("users of %s are not on %s: %s %v", host, from, users.Snapshot(), users.Snapshot().Failures)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	asked := time.Now()
	if err := move(); err != nil {
		return 0, err
	}
	err = journey.Until(ctx, 20*time.Second, func(context.Context) error {
		if users.Releases()[to] == 0 || time.Since(users.LastSeen(from)) < quiet {
			return fmt.Errorf("users of %s are not all on %s: %s", host, to, users.Snapshot())
		}
		return nil
	})
	report := users.Stop()
	b.results.Users.Add(report.Requests, report.Failed, report.Mixed)
	if len(report.Failures) > 0 {
		b.say("users met failures: %v", report.Failures)
	}
	return report.SwitchLatency(from, asked), err
}
