package policy

import (
	"slices"
	"strings"
)

func (p *parser) providerControls(s *statement, n *node) {}

var _ = slices.Contains[[]string]
var _ = strings.Contains
