package render

import (
	"slices"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// overrideImages puts the images of a Release in place of those in the manifests.
func overrideImages(objects []object, images []v1alpha1.ImageOverride) error {
	for _, image := range images {
		if err := overrideImage(objects, image); err != nil {
			return err
		}
	}
	return nil
}

func overrideImage(objects []object, image v1alpha1.ImageOverride) error {
	i := slices.IndexFunc(objects, func(o object) bool { return isWorkload(o.Unstructured) && o.GetName() == image.Member })
	if i < 0 {
		return refuse(v1alpha1.ReasonUnknownMember, "the Release gives an image for %s, which is no member of the stack; the members are %s", image.Member, workloadNames(objects))
	}
	container, err := containerFor(podSpec(objects[i].Unstructured), image)
	if err != nil {
		return err
	}
	container["image"] = image.Image
	return nil
}

// containerFor finds the container by name; without one, the only container, or the one of the member's name.
func containerFor(pod map[string]any, image v1alpha1.ImageOverride) (map[string]any, error) {
	name := image.Container
	if name == "" {
		if own := containersIn(pod, "containers"); len(own) == 1 {
			return own[0], nil
		}
		name = image.Member
	}
	all := containersOf(pod)
	if i := slices.IndexFunc(all, func(c map[string]any) bool { return c["name"] == name }); i >= 0 {
		return all[i], nil
	}
	if image.Container == "" {
		return nil, refuse(v1alpha1.ReasonUnknownMember, "the Release gives an image for member %s and does not say for which of its containers; they are %s", image.Member, containerNames(all))
	}
	return nil, refuse(v1alpha1.ReasonUnknownMember, "the Release gives an image for container %s of member %s, which has no such container; it has %s", image.Container, image.Member, containerNames(all))
}

func containerNames(containers []map[string]any) string {
	var names []string
	for _, c := range containers {
		if name, ok := c["name"].(string); ok {
			names = append(names, name)
		}
	}
	return orNone(names)
}

func workloadNames(objects []object) string {
	var names []string
	for _, o := range objects {
		if isWorkload(o.Unstructured) {
			names = append(names, o.GetName())
		}
	}
	slices.Sort(names)
	return orNone(names)
}
