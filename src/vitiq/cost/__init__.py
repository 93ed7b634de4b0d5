"""What a training costs: parameters, floating-point operations, hours, energy and money."""
