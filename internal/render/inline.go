package render

import (
	"fmt"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// inline reads the objects that the Stack itself holds. They are JSON, in which names of slots, Stacks and releases need
// no quoting: variables are replaced in all of it.
func inline(req *Request, slot v1alpha1.Slot) ([]object, error) {
	var result []object
	for i, raw := range req.Source.Inline {
		from := fmt.Sprintf("source.inline[%d]", i)
		objects, err := parse(from, []byte(replaceVariables(string(raw.Raw), req, slot)))
		if err != nil {
			return nil, err
		}
		result = append(result, objects...)
	}
	return result, nil
}
