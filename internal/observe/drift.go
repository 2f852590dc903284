package observe

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// driftCache remembers what was found out about a slot until its release or one of its workloads changes.
type driftCache struct {
	mu    sync.Mutex
	known map[driftKey]driftFound
}

type driftKey struct {
	stack types.NamespacedName
	slot  string
}

type driftFound struct {
	// state is the release and the generation of every workload.
	state string
	drift string
}

func (c *driftCache) get(key driftKey, state string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.known[key]
	return found.drift, ok && found.state == state
}

func (c *driftCache) put(key driftKey, found driftFound) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[driftKey]driftFound{}
	}
	c.known[key] = found
}

// forget drops what is known of a Stack that is gone.
func (c *driftCache) forget(stack types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.known, func(key driftKey, _ driftFound) bool { return key.stack == stack })
}

// compareLive asks how the live slot differs from its frozen content, while no release keeps it busy. That it could not
// be found out holds nothing up: it is asked again in the next pass.
func (p *pass) compareLive(ctx context.Context) {
	release, i := p.settledOn()
	if p.Drift == nil || release == nil || p.contents[i] == nil {
		return
	}
	slot := &p.snapshot.Slots[i]
	key := driftKey{client.ObjectKeyFromObject(p.stack), slot.Name}
	state := stateOf(release, slot, p.contents[i])
	drift, known := p.drifts.get(key, state)
	if !known {
		var err error
		if drift, err = p.Drift.Drift(ctx, p.stack, release, slot.Name); err != nil {
			log.FromContext(ctx).Info("cannot compare the live slot with its frozen content", "slot", slot.Name, "error", err.Error())
			return
		}
		p.drifts.put(key, driftFound{state: state, drift: drift})
	}
	slot.Drift = drift
}

// settledOn is the live release and the index of its slot; nil while a release is active.
func (p *pass) settledOn() (*v1alpha1.Release, int) {
	if len(p.stack.Status.Units) == 0 || p.stack.Status.Units[0].ActiveRelease != "" {
		return nil, 0
	}
	unit := p.stack.Status.Units[0]
	release := findRelease(p.snapshot.Releases, unit.LiveRelease)
	for i := range p.snapshot.Slots {
		if p.snapshot.Slots[i].Name == unit.LiveSlot {
			return release, i
		}
	}
	return nil, 0
}

func findRelease(all []v1alpha1.Release, name string) *v1alpha1.Release {
	for i := range all {
		if all[i].Name == name && all[i].Status.Started != nil {
			return &all[i]
		}
	}
	return nil
}

func stateOf(release *v1alpha1.Release, slot *plan.Slot, found *contents) string {
	generations := map[memberKey]int64{}
	for _, w := range workloads(found) {
		generations[memberKey{w.Kind, w.Name}] = w.meta.GetGeneration()
	}
	var state strings.Builder
	state.WriteString(string(release.UID))
	for _, w := range slot.Workloads {
		fmt.Fprintf(&state, " %s/%s@%d", w.Kind, w.Name, generations[memberKey{w.Kind, w.Name}])
	}
	return state.String()
}
