package main

import (
	"context"
	"fmt"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/bench/figures"
)

// countedReleases is for how many releases of each kind of entry the writes are counted.
const countedReleases = 3

// keepForShort is longer than the drainTimeout, as in life.
const keepForShort = "3s"

// allWrites counts what the controller writes from the creation of a Release until the slot that it replaced is idle.
func (b *bench) allWrites(ctx context.Context) error {
	for _, kind := range figures.Kinds() {
		s, err := b.shopBehind(ctx, kind)
		if err != nil {
			return err
		}
		if err := s.keep(ctx, keepForShort); err != nil {
			return err
		}
		// What is made once, for a slot's first release, is not counted.
		if err := s.promoted(ctx); err != nil {
			return err
		}
		for range countedReleases {
			counted, err := s.count(ctx)
			if err != nil {
				return err
			}
			b.results.Samples.Writes[kind] = append(b.results.Samples.Writes[kind], counted)
			w := figures.WritesOf([]figures.Counted{counted})
			b.say("%-14s %.0f writes, of these %.0f to Stack, Release and entry (%.0f until live)", kind, w.Total, w.StackReleaseEntry, w.UntilLive)
		}
		if err := s.keep(ctx, keepForLong); err != nil {
			return err
		}
	}
	return nil
}

func (s *shop) count(ctx context.Context) (figures.Counted, error) {
	var c figures.Counted
	if err := s.untilIdle(ctx); err != nil {
		return c, err
	}
	time.Sleep(settle)
	before, err := s.b.meter(ctx)
	if err != nil {
		return c, err
	}
	if err := s.promoted(ctx); err != nil {
		return c, err
	}
	live, err := s.b.meter(ctx)
	if err != nil {
		return c, err
	}
	if err := s.untilIdle(ctx); err != nil {
		return c, err
	}
	time.Sleep(settle)
	after, err := s.b.meter(ctx)
	if err == nil && len(after.since(before)) == 0 {
		err = fmt.Errorf("the controller's metrics lack %s", writesMetric)
	}
	return figures.Counted{UntilLive: live.since(before), Whole: after.since(before)}, err
}

// promoted releases, and promotes.
func (s *shop) promoted(ctx context.Context) error {
	r, err := s.release(ctx)
	if err != nil {
		return err
	}
	if err := s.untilHold(ctx, r.Name); err != nil {
		return err
	}
	d, err := s.decision(ctx, v1alpha1.VerbPromote, r.Name)
	if err != nil {
		return err
	}
	if err := s.b.Create(ctx, d); err != nil {
		return err
	}
	return s.untilLive(ctx, r.Name)
}
