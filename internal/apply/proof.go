package apply

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// proofs remember, for each slot, the objects that were last found to be as they were frozen: to compare them again, it is
// enough to see that they have not changed since.
type proofs struct {
	mutex sync.Mutex
	known map[proofKey]*proof
}

type proofKey struct {
	stack types.UID
	slot  string
}

// proof is of one release in one slot.
type proof struct {
	release types.UID

	mutex   sync.Mutex
	objects map[objectKey][sha256.Size]byte
	// whole is how many objects the content has; 0 until all of them were compared.
	whole int
}

type objectKey struct {
	kind schema.GroupVersionKind
	name types.NamespacedName
}

func keyOf(o *unstructured.Unstructured) objectKey {
	return objectKey{o.GroupVersionKind(), client.ObjectKeyFromObject(o)}
}

// of is the proof of a release in a slot. That of a former release is forgotten.
func (p *proofs) of(stack *v1alpha1.Stack, slot string, release *v1alpha1.Release) *proof {
	if release == nil {
		return nil
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	key := proofKey{stack.UID, slot}
	if known := p.known[key]; known != nil && known.release == release.UID {
		return known
	}
	if p.known == nil {
		p.known = map[proofKey]*proof{}
	}
	made := &proof{release: release.UID, objects: map[objectKey][sha256.Size]byte{}}
	p.known[key] = made
	return made
}

// holds is whether live is as it was when it was compared.
func (p *proof) holds(want, live *unstructured.Unstructured) bool {
	if p == nil {
		return false
	}
	sum, err := fingerprint(live)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	was, known := p.objects[keyOf(want)]
	return err == nil && known && was == sum
}

// keep remembers that live was found to be as it was frozen.
func (p *proof) keep(want, live *unstructured.Unstructured) error {
	if p == nil {
		return nil
	}
	sum, err := fingerprint(live)
	if err != nil {
		return err
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.objects[keyOf(want)] = sum
	return nil
}

// complete remembers that all objects were compared, and found to be as they were frozen.
func (p *proof) complete(objects int) {
	if p == nil {
		return
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.whole = objects
}

// all are the keys of the objects, where every one of them was compared.
func (p *proof) all() []objectKey {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.whole == 0 || len(p.objects) != p.whole {
		return nil
	}
	keys := make([]objectKey, 0, len(p.objects))
	for key := range p.objects {
		keys = append(keys, key)
	}
	return keys
}

// fingerprint is of what a comparison looks at.
func fingerprint(live *unstructured.Unstructured) ([sha256.Size]byte, error) {
	raw, err := json.Marshal(comparable(live))
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("reading %s: %w", nameOf(live), err)
	}
	return sha256.Sum256(raw), nil
}

// proveWithin bounds how long a proof may take that is made while everything waits for it.
const proveWithin = 500 * time.Millisecond

// Prove reports whether the slot runs what was frozen for the release, and each of its Services answers, as far as that
// can be told by looking at it once: objects that were compared before must not have changed since. What it cannot tell,
// VerifyContent and DialServices find out.
func (a *Applier) Prove(ctx context.Context, stack *v1alpha1.Stack, release *v1alpha1.Release, slotName string) bool {
	ctx, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	known := a.proofs.of(stack, slotName, release)
	keys := known.all()
	team, err := a.team(stack)
	if err != nil || len(keys) == 0 {
		return false
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(compareAtOnce)
	group.Go(func() error { return a.answered(ctx, stack, release, slotName) })
	for _, key := range keys {
		group.Go(func() error { return known.still(ctx, team, key) })
	}
	return group.Wait() == nil
}

// still fails where the object is not as it was when it was compared.
func (p *proof) still(ctx context.Context, team client.Client, key objectKey) error {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(key.kind)
	if err := team.Get(ctx, key.name, live); err != nil {
		return fmt.Errorf("reading %s %s: %w", key.kind.Kind, key.name, err)
	}
	if !p.holds(live, live) {
		return fmt.Errorf("%s has changed", nameOf(live))
	}
	return nil
}

// answered fails where a Service does not answer at once.
func (a *Applier) answered(ctx context.Context, stack *v1alpha1.Stack, release *v1alpha1.Release, slotName string) error {
	services := &corev1.ServiceList{}
	for _, slot := range stack.Spec.Slots {
		if slot.Name != slotName {
			continue
		}
		if err := a.Client.List(ctx, services, client.InNamespace(slot.Namespace)); err != nil {
			return fmt.Errorf("listing the Services of slot %s: %w", slotName, err)
		}
	}
	for _, d := range doorsOf(release, services.Items) {
		if err := a.knock(ctx, d); err != nil {
			return err
		}
	}
	return nil
}
