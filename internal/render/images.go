package render

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// override puts the images of a Release in place of those in the manifests.
func override(objects []object, images []v1alpha1.ImageOverride) error {
	for _, image := range images {
		if err := overrideOne(objects, image); err != nil {
			return err
		}
	}
	return nil
}

func overrideOne(objects []object, image v1alpha1.ImageOverride) error {
	i := slices.IndexFunc(objects, func(o object) bool { return isWorkload(o.Unstructured) && o.GetName() == image.Member })
	if i < 0 {
		return refuse(v1alpha1.ReasonUnknownMember, "an image is given for %s, which is no member of the stack; the members are %s", image.Member, memberNames(objects))
	}
	container, err := containerFor(objects[i], image)
	if err != nil {
		return err
	}
	container["image"] = image.Image
	return nil
}

// containerFor finds the container by name; without one, the only container, or the one of the member's name.
func containerFor(o object, image v1alpha1.ImageOverride) (map[string]any, error) {
	all := containersOf(podSpec(o.Unstructured))
	name := image.Container
	if name == "" {
		main := containersIn(podSpec(o.Unstructured), "containers")
		if len(main) == 1 {
			return main[0], nil
		}
		name = image.Member
	}
	if i := slices.IndexFunc(all, func(c map[string]any) bool { return c["name"] == name }); i >= 0 {
		return all[i], nil
	}
	names := containerNames(all)
	if image.Container == "" {
		return nil, refuse(v1alpha1.ReasonUnknownMember, "an image is given for member %s, which has several containers: %s; say which one (container)", image.Member, names)
	}
	return nil, refuse(v1alpha1.ReasonUnknownMember, "an image is given for container %s of member %s, which has no such container; it has %s", image.Container, image.Member, names)
}

func containerNames(containers []map[string]any) string {
	var names []string
	for _, c := range containers {
		if name, ok := c["name"].(string); ok {
			names = append(names, name)
		}
	}
	return listed(names, maxListed)
}

func sortedImages(images []v1alpha1.ImageOverride) []v1alpha1.ImageOverride {
	return slices.SortedFunc(slices.Values(images), func(a, b v1alpha1.ImageOverride) int {
		return cmp.Or(strings.Compare(a.Member, b.Member), strings.Compare(a.Container, b.Container))
	})
}
