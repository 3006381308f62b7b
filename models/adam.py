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
        self.one, self.zero = Tensor(1.0, ms.float32), Tensor(0.0, ms.float32)

    def construct(self, gradients, applies=None):
        """One update with finite gradients, one for each parameter.

        applies: a scalar of type bool; False leaves parameters, moments and counters bit by bit as they are. It needs
        no branch, which a graph on a GPU or NPU would leave for every step: with betas of 1 and a rate of 0 Adam is
        the identity.
        """
        gradients = self.decay_weight(gradients)
        rate, beta1, beta2 = self.get_lr(), self.beta1, self.beta2
        if applies is not None:
            rate = ops.select(applies, rate, self.zero)
            beta1, beta2 = ops.select(applies, beta1, self.one), ops.select(applies, beta2, self.one)
        power1 = ops.assign(self.beta1_power, self.beta1_power * beta1)
        power2 = ops.assign(self.beta2_power, self.beta2_power * beta2)
        if applies is None:
            self.assignadd(self.global_step, self.global_step_increase_tensor)
        else:
            self.assignadd(self.global_step, applies.astype(ms.int32) * self.global_step_increase_tensor)
            # before the first update the powers are 1, and the corrections of the moments divide by 1 - power
            power1, power2 = ops.select(applies, power1, self.zero), ops.select(applies, power2, self.zero)
        epsilon = self.eps * ops.sqrt(self.one - power2)
        update = ops.partial(_update, power1, power2, rate, beta1, beta2, epsilon)
        return self.map_(update, gradients, self._parameters, self.moment1, self.moment2)
