package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Rooms reads the map of who may import whom out of the text of house_test.go,
// where it is tested.
func Rooms(source []byte) (map[string][]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "house_test.go", source, 0)
	if err != nil {
		return nil, err
	}
	rooms := map[string][]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || v.Names[0].Name != "rooms" {
			return true
		}
		for _, row := range v.Values[0].(*ast.CompositeLit).Elts {
			pair := row.(*ast.KeyValueExpr)
			may := []string{}
			for _, e := range pair.Value.(*ast.CompositeLit).Elts {
				may = append(may, text(e))
			}
			rooms[text(pair.Key)] = may
		}
		return false
	})
	if len(rooms) == 0 {
		return nil, fmt.Errorf("house_test.go has no map of rooms")
	}
	return rooms, nil
}

func text(e ast.Expr) string {
	s, _ := strconv.Unquote(e.(*ast.BasicLit).Value)
	return s
}

// A spot is where a room is drawn: column and row of its panel.
type spot struct {
	room, about string
	x, y        float64
}

// A panel is a group of rooms.
type panel struct {
	class, title, about string
	x, y, w, h          float64 // in pixels
	spots               []spot
}

const (
	boxWidth, boxHeight = 124.0, 42.0
	stepX, stepY        = 136.0, 72.0
	margin, top         = 16.0, 38.0 // of a panel, around its boxes
)

// panels is the layout; a room on the map that has no spot here is an error.
func panels() []panel {
	return []panel{
		{"cmd", "daypass-kube", "in the cluster", 20, 20, 700, 46, nil},
		{"cmd", "daypass", "beside the workload", 736, 20, 156, 46, nil},
		{"cmd", "daypassctl", "at the desk, in CI", 908, 20, 300, 46, nil},
		{"kube", "kube", "all that knows Kubernetes", 20, 82, 700, 324, []spot{
			{"kube/agent", "169.254.170.23", 0, 0}, {"kube/secrets", "provider for the CSI", 1.2, 0},
			{"kube/page", "for browsers", 2.4, 0}, {"kube/survey", "status, doctor", 3.9, 0},
			{"kube/vend", "token → pod → role", 0.6, 1}, {"kube/inject", "what pods lack", 3.3, 1},
			{"kube/identity", "who is this pod?", 1.7, 2}, {"kube/signer", "pod certificates", 2.8, 2}, {"kube/privateca", "for cert-manager", 3.9, 2},
			{"kube/api/v1alpha1", "associations", 1.7, 3}, {"kube/api/awspca/v1beta1", "issuers", 3.9, 3},
		}},
		{"plain", "settings", "", 736, 82, 156, 324, []spot{
			{"deliver/awssdk", "for Go programs", 0, 1}, {"config", "flags, environment", 0, 2.5},
		}},
		{"plain", "diagnosis and set-up", "", 908, 82, 300, 324, []spot{
			{"doctor/gather", "evidence", 0, 1}, {"doctor", "why not?", 0, 2.5}, {"setup", "the AWS side", 1.06, 2.5},
		}},
		{"steps", "the four steps", "", 20, 422, 700, 172, []spot{
			{"proof", "who am I?", 0, 0}, {"exchange", "ask AWS", 1.33, 0}, {"refresh", "keep it fresh", 2.6, 0}, {"deliver", "hand it over", 3.9, 0},
			{"exchange/sigv4x509", "sign by certificate", 1.33, 1},
		}},
		{"plain", "rules", "", 736, 422, 472, 172, []spot{
			{"secrets", "AWS's, as files", 0, 0}, {"pki/cadir", "a CA in a folder", 0, 1}, {"pki", "certificates", 1.15, 0.5}, {"policy", "IAM's language", 2.33, 0.5},
		}},
		{"sandbox", "sandbox", "a local AWS that shares no code with what it tests", 20, 610, 1188, 196, []spot{
			{"sandbox/sandboxtest", "for Go tests", 0, 0}, {"sandbox", "one address", 1.3, 0}, {"sandbox/*", "a room per service", 2.6, 0},
			{"sandbox/wire", "protocols", 3.9, 0}, {"sandbox/sigv4", "signatures", 5.2, 0}, {"sandbox/oidc", "tokens", 3.9, 0.75}, {"sandbox/page", "the decision page", 2.6, 1.4},
			{"sandbox/world", "accounts, decisions", 7.6, 0.57},
		}},
		{"quiet", "words and tools", "arrows to them are left out", 20, 822, 1188, 96, []spot{
			{".", "the vocabulary", 0, 0}, {"reason", "ways to be refused", 1.09, 0}, {"reason/reasontest", "for Go tests", 2.18, 0},
			{"internal/cli", "flags and variables", 3.27, 0}, {"internal/atomicfile", "whole or not", 4.36, 0}, {"internal/page", "the pages' style", 5.45, 0}, {"internal/walk", "runs the docs", 6.54, 0}, {"internal/sdk", "for the AWS SDK", 7.63, 0},
		}},
	}
}

// quiet reports whether no arrows are drawn to a room: it holds words or tools
// and no step of the story.
func quiet(room string) bool {
	first, _, _ := strings.Cut(room, "/")
	return room == "." || first == "reason" || first == "internal"
}

// meant are the rooms that the map means by a name.
func meant(rooms map[string][]string, name string) []string {
	below, all := strings.CutSuffix(name, "/**")
	if !all {
		return []string{name}
	}
	var names []string
	for _, room := range sorted(rooms) {
		if strings.HasPrefix(room, below+"/") {
			names = append(names, room)
		}
	}
	return names
}

// arrows are the imports to draw: those that the map allows, less those to
// quiet rooms and those that follow from others.
func arrows(rooms map[string][]string) map[string][]string {
	drawn := map[string][]string{}
	for room, may := range rooms {
		if quiet(room) || strings.HasPrefix(room, "cmd/") || strings.HasPrefix(room, "e2e/") {
			continue
		}
		for _, to := range may {
			for _, to := range meant(rooms, to) {
				if !quiet(to) && to != room && to != "sandbox/sandboxtest" {
					drawn[room] = append(drawn[room], to)
				}
			}
		}
	}
	var reaches func(from, to string) bool
	reaches = func(from, to string) bool {
		return slices.ContainsFunc(drawn[from], func(via string) bool { return via == to || reaches(via, to) })
	}
	reduced := map[string][]string{}
	for room, all := range drawn {
		for _, to := range all {
			follows := slices.ContainsFunc(all, func(via string) bool { return via != to && reaches(via, to) })
			if !follows {
				reduced[room] = append(reduced[room], to)
			}
		}
		slices.Sort(reduced[room])
	}
	return reduced
}

// Diagram draws the rooms as SVG.
func Diagram(rooms map[string][]string) (string, error) {
	type point struct{ x, y float64 }
	at := map[string]point{}
	var boxes strings.Builder
	for _, p := range panels() {
		fmt.Fprintf(&boxes, "<rect class=%q x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" rx=\"10\"/>\n", "panel "+p.class, p.x, p.y, p.w, p.h)
		fmt.Fprintf(&boxes, "<text class=\"title\" x=\"%g\" y=\"%g\">%s", p.x+margin, p.y+titleY(p), html.EscapeString(p.title))
		switch {
		case p.about != "" && len(p.spots) == 0:
			fmt.Fprintf(&boxes, "<tspan class=\"beside\" x=\"%g\" dy=\"14\">%s</tspan>", p.x+margin, html.EscapeString(p.about))
		case p.about != "":
			fmt.Fprintf(&boxes, "<tspan class=\"beside\" dx=\"10\">%s</tspan>", html.EscapeString(p.about))
		}
		boxes.WriteString("</text>\n")
	}
	for _, p := range panels() {
		for _, s := range p.spots {
			if _, is := rooms[s.room]; !is {
				return "", fmt.Errorf("%s has a spot in the diagram and is not on the map", s.room)
			}
			at[s.room] = point{p.x + margin + s.x*stepX, p.y + top + s.y*stepY}
		}
	}
	for room := range rooms {
		if _, is := at[room]; !is && !strings.HasPrefix(room, "cmd/") && !strings.HasPrefix(room, "e2e/") {
			return "", fmt.Errorf("%s is on the map and has no spot in the diagram", room)
		}
	}
	var lines strings.Builder
	all := arrows(rooms)
	for _, from := range sorted(all) {
		for _, to := range all[from] {
			a, b := at[from], at[to]
			fmt.Fprintf(&lines, "<path class=%q d=%q/>\n", class(from), route(a.x, a.y, b.x, b.y))
		}
	}
	var rects strings.Builder
	for _, p := range panels() {
		for _, s := range p.spots {
			a := at[s.room]
			fmt.Fprintf(&rects, "<g class=%q><rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" rx=\"6\"/>", "room "+class(s.room), a.x, a.y, boxWidth, boxHeight)
			name := s.room
			switch s.room {
			case ".":
				name = "daypass"
			case "sandbox/*":
				name = "iam, sts, s3 …"
			case "kube/api/awspca/v1beta1":
				name = "api/awspca"
			default:
				for _, of := range []string{"kube/", "sandbox/", "internal/", "exchange/", "reason/"} {
					name = strings.TrimPrefix(name, of)
				}
			}
			fmt.Fprintf(&rects, "<text class=\"name\" x=\"%g\" y=\"%g\">%s</text>", a.x+boxWidth/2, a.y+18, html.EscapeString(name))
			fmt.Fprintf(&rects, "<text class=\"about\" x=\"%g\" y=\"%g\">%s</text></g>\n", a.x+boxWidth/2, a.y+33, html.EscapeString(s.about))
		}
	}
	return fmt.Sprintf(frame, boxes.String(), lines.String(), rects.String()), nil
}

// titleY is where a panel's title stands.
func titleY(p panel) float64 {
	if len(p.spots) == 0 {
		return 20
	}
	return 25
}

// route is the way of an arrow: from the middle of a box down or up to
// another, or from side to side.
func route(ax, ay, bx, by float64) string {
	switch {
	case by >= ay+boxHeight: // below
		x1, y1, x2, y2 := ax+boxWidth/2, ay+boxHeight, bx+boxWidth/2, by-3
		bend := max(18, (y2-y1)/2)
		return fmt.Sprintf("M%g %gC%g %g %g %g %g %g", x1, y1, x1, y1+bend, x2, y2-bend, x2, y2)
	case by+2*boxHeight < ay: // above
		x1, y1, x2, y2 := ax+boxWidth/2, ay, bx+boxWidth/2, by+boxHeight+3
		bend := max(18, (y1-y2)/2)
		return fmt.Sprintf("M%g %gC%g %g %g %g %g %g", x1, y1, x1, y1-bend, x2, y2+bend, x2, y2)
	case bx-ax > 3*stepX && by > ay: // to the side, below what stands between
		x1, y1, x2, y2 := ax+boxWidth-12, ay+boxHeight, bx-3, by+boxHeight/2
		return fmt.Sprintf("M%g %gC%g %g %g %g %g %g", x1, y1, x1+60, y1+40, x2-2*stepX, y2+6, x2, y2)
	case bx > ax:
		x1, x2 := ax+boxWidth, bx-3
		bend := max(10, (x2-x1)/2)
		return fmt.Sprintf("M%g %gC%g %g %g %g %g %g", x1, ay+boxHeight/2, x1+bend, ay+boxHeight/2, x2-bend, by+boxHeight/2, x2, by+boxHeight/2)
	default:
		x1, x2 := ax, bx+boxWidth+3
		bend := max(10, (x1-x2)/2)
		return fmt.Sprintf("M%g %gC%g %g %g %g %g %g", x1, ay+boxHeight/2, x1-bend, ay+boxHeight/2, x2+bend, by+boxHeight/2, x2, by+boxHeight/2)
	}
}

// class is the colour of a room and of its arrows.
func class(room string) string {
	switch first, _, _ := strings.Cut(room, "/"); first {
	case "proof", "exchange", "refresh", "deliver":
		if path.Base(room) == "awssdk" {
			return "plain"
		}
		return "steps"
	case "kube", "sandbox":
		return first
	}
	return "plain"
}

// sorted are the keys of m, so that the drawing is the same each time.
func sorted(m map[string][]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

const frame = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1228 938" role="img" aria-labelledby="t d">
<title id="t">The rooms of daypass, and who imports whom</title>
<desc id="d">An arrow leads from a room to one that it imports. The four steps are proof, exchange, refresh and deliver; the rooms of the cluster, of diagnosis and of settings stand above them, the sandbox by itself.</desc>
<style>
text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2430 }
.title { font-weight: 600; fill: #4a5163 }
.name { font-weight: 600; text-anchor: middle }
.about { font-size: 11px; text-anchor: middle; fill: #4a5163 }
.beside { font-weight: 400; font-size: 12px }
.ground { fill: #ffffff }
.panel { fill: #f5f6f9; stroke: #d5d9e2 }
.panel.steps { fill: #e9f3ec; stroke: #a9cfb5 }
.panel.kube { fill: #eaf0fb; stroke: #b3c8ee }
.panel.sandbox { fill: #fbf1e4; stroke: #e6c694; stroke-dasharray: 6 4 }
.panel.cmd { fill: #e6e8ee; stroke: #c3c9d6 }
.room rect { fill: #ffffff; stroke: #98a1b3 }
.room.steps rect { stroke: #2f8f4e; stroke-width: 1.6 }
.room.kube rect { stroke: #3b6fc9 }
.room.sandbox rect { stroke: #b7791f }
path { fill: none; stroke: #7b8496; stroke-width: 1.4; marker-end: url(#head) }
path.kube { stroke: #5b87d6 }
path.steps { stroke: #2f8f4e }
path.sandbox { stroke: #c08a3a }
#head path { marker-end: none; stroke: none; fill: #7b8496 }
@media (prefers-color-scheme: dark) {
text { fill: #e6e9f0 }
.title, .about { fill: #b4bccb }
.beside { font-weight: 400; font-size: 12px }
.ground { fill: #12151c }
.panel { fill: #1a1e27; stroke: #343b4a }
.panel.steps { fill: #14251b; stroke: #2c5a3c }
.panel.kube { fill: #151f33; stroke: #2c4673 }
.panel.sandbox { fill: #2a2114; stroke: #6b4f22 }
.panel.cmd { fill: #222734; stroke: #3d4557 }
.room rect { fill: #0e1117; stroke: #5d677b }
.room.steps rect { stroke: #58b878 }
.room.kube rect { stroke: #6b9bf0 }
.room.sandbox rect { stroke: #d6a04c }
}
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>
<rect class="ground" width="1228" height="938"/>
%s%s%s</svg>
`
