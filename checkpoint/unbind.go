package checkpoint

import (
	"fmt"

	"fovea/autograd"
)

// Unbind is the way back from Bind: the parameters as tensors with the names and shapes that src has for them, so that whatever
// reads src reads what is written of them. Tensors that renames drop are left out.
func Unbind(params []*autograd.Param, src Source, renames []Rename) ([]Item, error) {
	if _, err := match(params, src, renames); err != nil {
		return nil, err
	}
	names, err := rename(src.Names(), renames)
	if err != nil {
		return nil, err
	}
	parts := map[string][]*autograd.Param{} // of each of src's tensors
	for _, p := range params {
		if err := p.Load(); err != nil {
			return nil, err
		}
		from := names[p.Name]
		if parts[from.name] == nil {
			parts[from.name] = make([]*autograd.Param, from.parts)
		}
		parts[from.name][from.part] = p
	}
	var items []Item
	for _, name := range src.Names() {
		if parts[name] == nil {
			continue
		}
		t, err := src.Tensor(name)
		if err != nil {
			return nil, err
		}
		it := Item{Name: name, Shape: t.Shape, DType: F32}
		for _, p := range parts[name] {
			if len(parts[name]) == 1 {
				it.Data = p.Data
			} else {
				it.Data = append(it.Data, p.Data...)
			}
		}
		if len(it.Data) != t.Shape.Size() {
			return nil, fmt.Errorf("checkpoint: unbind: %s has %d values for %v", name, len(it.Data), t.Shape)
		}
		items = append(items, it)
	}
	return items, nil
}
