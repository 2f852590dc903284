package fair

import (
	"context"
	"testing"
	"time"
)

func TestNoOwnerTakesTheLastPlaceOfOthers(t *testing.T) {
	p := New(3, 2)
	a1, a2 := take(t, p, "a"), take(t, p, "a")
	full(t, p, "a", "a has its two")
	b := take(t, p, "b")
	full(t, p, "b", "all three are taken")
	a1()
	b2 := take(t, p, "b")
	full(t, p, "a", "b has the third")
	for _, leave := range []func(){a2, b, b2} {
		leave()
	}
	if len(p.of)+len(p.uses) > 0 {
		t.Errorf("owners who are gone are remembered: %v %v", p.of, p.uses)
	}
}

func take(t *testing.T, p *Places, owner string) func() {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	leave := p.Take(ctx, owner)
	if leave == nil {
		t.Fatalf("%s gets no place", owner)
	}
	return leave
}

func full(t *testing.T, p *Places, owner, why string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if p.Take(ctx, owner) != nil {
		t.Errorf("%s got a place, though %s", owner, why)
	}
}
