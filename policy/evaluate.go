package policy

// Evaluate decides a request.
func Evaluate(r Request, p Policies) Decision { return Decision{} }
