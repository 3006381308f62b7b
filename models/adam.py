"""Adam as published and as PyTorch has it (Kingma & Ba, "Adam", ICLR 2015, algorithm 1).

MindSpore's nn.Adam is the variant at the end of the paper's section 2: it adds epsilon before the
second moment is corrected for its start at zero. In the first steps its epsilon counts up to 30 times
more, and parameters with gradients below 1e-6 move less than they should.
"""

import mindspore as ms
from mindspore import Tensor, nn, ops

_fused = ops.Adam()
_update = ops.MultitypeFuncGraph("decomr_adam")


@_update.register(*["Tensor"] * 10)
def _update_parameter(beta1_power, beta2_power, rate, beta1, beta2, epsilon, gradient, parameter, moment1, moment2):
    _fused(parameter, moment1, moment2, beta1_power, beta2_power, rate, beta1, beta2, epsilon, gradient)
    return True


class Adam(nn.Adam):
    """nn.Adam with epsilon added to the corrected second moment's root; weight decay reaches every parameter."""

    def __init__(self, params, learning_rate, beta1: float = 0.9, beta2: float = 0.999, weight_decay: float = 0.0):
        # in a group, MindSpore does not except the parameters of norm layers from weight decay
        groups = [{"params": list(params), "weight_decay": weight_decay}]
        super().__init__(groups, learning_rate, beta1, beta2)

    def _apply_adam(self, params, beta1_power, beta2_power, moment1, moment2, lr, gradients):
        epsilon = self.eps * ops.sqrt(Tensor(1.0, ms.float32) - beta2_power)
        update = ops.partial(_update, beta1_power, beta2_power, lr, self.beta1, self.beta2, epsilon)
        return self.map_(update, gradients, params, moment1, moment2)
